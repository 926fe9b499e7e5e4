"""Dead letters for the person who mends what went wrong: seen, understood, sent again or dropped."""
