"""What past incidents teach: made from rows whenever it is asked for, and never kept a second time."""
