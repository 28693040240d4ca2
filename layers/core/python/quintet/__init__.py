"""Quintet: one journaled engine behind five job and workflow APIs."""
