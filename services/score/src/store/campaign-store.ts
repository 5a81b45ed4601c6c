import { mkdir } from 'node:fs/promises';
import type { PGlite } from '@electric-sql/pglite';
import { z } from 'zod';
import type { CampaignEnd, CampaignRecord } from './campaign-record.ts';
import { openEmbeddedDatabase } from './embedded-database.ts';
import { lockFolder } from './folder-lock.ts';
import { MIGRATIONS } from './migrations.ts';

const rowSchema = z.object({
  id: z.string(),
  name: z.string(),
  specification: z.unknown(),
  state: z.enum(['running', 'succeeded', 'failed', 'cancelled']),
  started_at: z.date(),
  ended_at: z.date().nullable(),
  error: z.string(),
  caller: z.string(),
  trace_id: z.string(),
  report: z.string().nullable().optional(),
});

function recordOf(row: unknown): CampaignRecord {
  const { started_at, ended_at, trace_id, report, specification, ...same } = rowSchema.parse(row);
  return {
    ...same,
    specification,
    startedAt: started_at,
    endedAt: ended_at ?? undefined,
    traceId: trace_id,
    reportJson: report ?? undefined,
  };
}

const SUMMARY_COLUMNS = 'id, name, specification, state, started_at, ended_at, error, caller, trace_id';

/** What a campaign that a dead process left running is ended with. */
const ABANDONED = 'the score service ended while this campaign was running; start it again';

/** Campaigns in the embedded database, which belongs to this process alone. */
export class CampaignStore implements AsyncDisposable {
  readonly #database: PGlite;
  readonly #lock: AsyncDisposable;

  private constructor(database: PGlite, lock: AsyncDisposable) {
    this.#database = database;
    this.#lock = lock;
  }

  /**
   * Opens (or makes) the database in `folder`/db, brings its schema up to date, and marks campaigns that a dead process
   * left running as failed. The first start takes some seconds.
   * @throws FaultlineError failed_precondition when another process holds the folder.
   */
  static async open(folder: string): Promise<CampaignStore> {
    await mkdir(folder, { recursive: true });
    const lock = await lockFolder(folder);
    try {
      const database = await openEmbeddedDatabase(folder);
      const store = new CampaignStore(database, lock);
      await store.#migrate();
      await database.query(
        `UPDATE campaigns SET state = 'failed', ended_at = now(), error = $1 WHERE state = 'running'`,
        [ABANDONED],
      );
      return store;
    } catch (error) {
      await lock[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Files a campaign that starts. With an idempotency key that was used before nothing is filed.
   * @returns the campaign that holds the key: this one's id, or the earlier one's.
   */
  async insert(record: CampaignRecord, idempotencyKey: string): Promise<string> {
    const inserted = await this.#database.query(
      `INSERT INTO campaigns (id, name, specification, state, started_at, caller, idempotency_key, trace_id)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (idempotency_key) DO NOTHING RETURNING id`,
      [
        record.id,
        record.name,
        JSON.stringify(record.specification),
        record.state,
        record.startedAt,
        record.caller,
        idempotencyKey === '' ? null : idempotencyKey,
        record.traceId,
      ],
    );
    if (inserted.rows.length > 0) return record.id;
    return (await this.findByKey(idempotencyKey))?.id ?? record.id;
  }

  /** The campaign that was started with this idempotency key, without its report. */
  async findByKey(idempotencyKey: string): Promise<CampaignRecord | undefined> {
    const found = await this.#database.query(`SELECT ${SUMMARY_COLUMNS} FROM campaigns WHERE idempotency_key = $1`, [
      idempotencyKey,
    ]);
    return found.rows[0] === undefined ? undefined : recordOf(found.rows[0]);
  }

  /** Files how a running campaign ended; one that has ended already stays as it is. */
  async finish(id: string, end: CampaignEnd): Promise<void> {
    await this.#database.query(
      `UPDATE campaigns SET state = $2, ended_at = $3, error = $4, report = $5 WHERE id = $1 AND state = 'running'`,
      [id, end.state, end.endedAt, end.error, end.reportJson ?? null],
    );
  }

  /** Files artefacts that a campaign refers to: they stay as long as it does. */
  async refer(id: string, sha256s: readonly string[]): Promise<void> {
    await this.#database.query(
      'INSERT INTO campaign_artefacts (campaign_id, sha256) SELECT $1, unnest($2::text[]) ON CONFLICT DO NOTHING',
      [id, sha256s],
    );
  }

  /** Artefacts that these campaigns refer to. */
  async artefactsOf(ids: readonly string[]): Promise<ReadonlySet<string>> {
    const found = await this.#database.query<{ sha256: string }>(
      'SELECT DISTINCT sha256 FROM campaign_artefacts WHERE campaign_id = ANY ($1::text[])',
      [ids],
    );
    return new Set(found.rows.map(({ sha256 }) => sha256));
  }

  /** Removes campaigns that have ended, with what they refer to; running ones stay. */
  async remove(ids: readonly string[]): Promise<void> {
    await this.#database.query(`DELETE FROM campaigns WHERE id = ANY ($1::text[]) AND state <> 'running'`, [ids]);
  }

  /** All campaigns without their reports, newest first. */
  async all(): Promise<CampaignRecord[]> {
    const found = await this.#database.query(`SELECT ${SUMMARY_COLUMNS} FROM campaigns ORDER BY id DESC`);
    return found.rows.map(recordOf);
  }

  /** One campaign, its report included. */
  async get(id: string): Promise<CampaignRecord | undefined> {
    const found = await this.#database.query(`SELECT ${SUMMARY_COLUMNS}, report FROM campaigns WHERE id = $1`, [id]);
    return found.rows[0] === undefined ? undefined : recordOf(found.rows[0]);
  }

  /** Campaigns without their reports, newest first, at most `limit`, older than `after` unless that is empty. */
  async list(limit: number, after: string): Promise<CampaignRecord[]> {
    const found = await this.#database.query(
      `SELECT ${SUMMARY_COLUMNS} FROM campaigns WHERE $1 = '' OR id < $1 ORDER BY id DESC LIMIT $2`,
      [after, limit],
    );
    return found.rows.map(recordOf);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#database.close();
    } finally {
      await this.#lock[Symbol.asyncDispose]();
    }
  }

  async #migrate(): Promise<void> {
    await this.#database.exec(
      `CREATE TABLE IF NOT EXISTS schema_migrations (
         version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`,
    );
    const applied = await this.#database.query<{ version: number }>('SELECT version FROM schema_migrations');
    const known = new Set(applied.rows.map((row) => row.version));
    for (const migration of MIGRATIONS.filter(({ version }) => !known.has(version))) {
      await this.#database.transaction(async (transaction) => {
        await transaction.exec(migration.sql);
        await transaction.query('INSERT INTO schema_migrations (version, name) VALUES ($1, $2)', [
          migration.version,
          migration.name,
        ]);
      });
    }
  }
}
