"""The WebRobot ETL API: projects of jobs of tasks, the datasets they leave, tables of free rows, guarded pages."""
