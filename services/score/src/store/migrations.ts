/** A change of the schema. Applied once, in order; never edited after a release. */
export interface Migration {
  readonly version: number;
  readonly name: string;
  /** PostgreSQL 15. */
  readonly sql: string;
}

export const MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    name: 'campaigns',
    sql: `
      CREATE TABLE campaigns (
        id text PRIMARY KEY,
        name text NOT NULL,
        specification jsonb NOT NULL,
        state text NOT NULL CHECK (state IN ('running', 'succeeded', 'failed', 'cancelled')),
        started_at timestamptz NOT NULL,
        ended_at timestamptz,
        error text NOT NULL DEFAULT '',
        caller text NOT NULL DEFAULT '',
        idempotency_key text UNIQUE,
        trace_id text NOT NULL DEFAULT '',
        report text,
        CHECK ((state = 'running') = (ended_at IS NULL)),
        CHECK ((state = 'succeeded') = (report IS NOT NULL))
      );
      CREATE INDEX campaigns_running ON campaigns (id) WHERE state = 'running';
    `,
  },
  {
    version: 2,
    name: 'artefacts of campaigns',
    sql: `
      CREATE TABLE campaign_artefacts (
        campaign_id text NOT NULL REFERENCES campaigns (id) ON DELETE CASCADE,
        sha256 text NOT NULL,
        PRIMARY KEY (campaign_id, sha256)
      );
    `,
  },
];
