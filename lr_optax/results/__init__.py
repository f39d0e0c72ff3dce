"""What a tool answers with: a result that prints, plots and saves itself."""
