"""What the three TPD commands share: the ERP's people, and what the law wants done with them."""
