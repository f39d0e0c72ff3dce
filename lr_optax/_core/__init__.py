"""What a schedule is: its class and decorator, its arguments, and arithmetic on steps."""
