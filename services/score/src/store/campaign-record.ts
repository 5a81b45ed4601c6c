/** Where a campaign stands. */
export type CampaignStateName = 'running' | 'succeeded' | 'failed' | 'cancelled';

/** A campaign as it is kept. */
export interface CampaignRecord {
  readonly id: string;
  readonly name: string;
  /** Protobuf JSON of the specification. */
  readonly specification: unknown;
  readonly state: CampaignStateName;
  readonly startedAt: Date;
  readonly endedAt: Date | undefined;
  /** Empty unless it failed or was cancelled. */
  readonly error: string;
  readonly caller: string;
  readonly traceId: string;
  /** Undefined until it has succeeded. */
  readonly reportJson: string | undefined;
}

/** How a campaign ended. */
export interface CampaignEnd {
  readonly state: Exclude<CampaignStateName, 'running'>;
  readonly endedAt: Date;
  readonly error: string;
  readonly reportJson: string | undefined;
}
