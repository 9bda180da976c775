"""What the workflow and the command line call: jobs, runs, status, verification, pilots."""
