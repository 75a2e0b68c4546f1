"""What the pages of the app show, as plain data in the words of the screen; nothing here knows how pages are drawn."""
