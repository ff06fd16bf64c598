"""What kind of machine this is: read once, when the agent starts. What can't be found out is left empty."""
