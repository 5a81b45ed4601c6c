import { randomInt } from 'node:crypto';

const SUFFIX_ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const SUFFIX_LENGTH = 4;

/** A new campaign identifier, for instance "20261122-231845-203-k7tq": sorts by time, and is safe as a folder name. */
export function campaignId(now: Date): string {
  const digits = now.toISOString().replace(/[^0-9]/g, '');
  const suffix = Array.from({ length: SUFFIX_LENGTH }, () => SUFFIX_ALPHABET[randomInt(SUFFIX_ALPHABET.length)]).join(
    '',
  );
  return `${digits.slice(0, 8)}-${digits.slice(8, 14)}-${digits.slice(14, 17)}-${suffix}`;
}

const CAMPAIGN_ID = new RegExp(`^\\d{8}-\\d{6}-\\d{3}-[${SUFFIX_ALPHABET}]{${SUFFIX_LENGTH}}$`);

/** Whether this has the form of a campaign identifier. */
export function isCampaignId(text: string): boolean {
  return CAMPAIGN_ID.test(text);
}
