"""Every file of a results folder: whether it is sound, why not, and the commands that mend it."""
