"""No room, no inodes, no right to write, too little memory."""
