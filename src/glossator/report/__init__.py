"""What people see: the HTML report, the terminal table and card, and progress."""
