"""Users and who follows whom."""
