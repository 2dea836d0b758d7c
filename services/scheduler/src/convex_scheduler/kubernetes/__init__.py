"""The cluster: its CronJobs and Jobs beside what PostgreSQL says of jobs and runs."""
