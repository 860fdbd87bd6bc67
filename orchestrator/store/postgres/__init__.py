"""The store in a PostgreSQL database, for several hosts. Nobody else imports psycopg."""
