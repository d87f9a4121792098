"""What text gives away: personal data, secrets, numbers with check digits. One file a word, `finding` shared by all."""
