"""The users' questions, a file each."""
