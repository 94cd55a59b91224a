"""Questions that the bot could not answer, and the officers who answer them. What was asked, never who asked."""
