"""What FLick needs of the machine that it runs on: accounts, folders, ports, processes."""
