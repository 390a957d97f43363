"""Networks: how they are built, fed, fitted, kept and asked."""
