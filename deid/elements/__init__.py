"""What is done to Data Elements: dummies, UIDs, dates, pseudonyms, marks."""
