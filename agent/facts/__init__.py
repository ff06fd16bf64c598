"""What kind of machine this is. What can't be found out is left empty."""
