-- Run once by psql, as a superuser, on a new server: a database and a role each for MLflow and for Optuna.
-- In one database they would break each other: both keep their schema's version in a table `alembic_version`.
\getenv password POSTGRES_PASSWORD

CREATE ROLE mlflow LOGIN PASSWORD :'password';
CREATE DATABASE mlflow OWNER mlflow ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE mlflow FROM PUBLIC;

CREATE ROLE optuna LOGIN PASSWORD :'password';
CREATE DATABASE optuna OWNER optuna ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE optuna FROM PUBLIC;
