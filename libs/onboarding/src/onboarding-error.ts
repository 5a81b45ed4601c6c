/** A model that cannot be made a victim as asked; the message says what to answer or change. */
export class OnboardingError extends Error {
  override name = 'OnboardingError';
}
