"""Every scenario in its long form as one piece: what there is, how it is run, and the report of what was found."""
