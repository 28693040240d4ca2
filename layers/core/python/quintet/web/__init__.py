"""What the dialects share at the HTTP edge: the resolver, authentication, strict bodies, paging, exact JSON."""
