export type RefusedReason = 'url' | 'scheme' | 'port' | 'address' | 'listener' | 'redirects';

/** A target a user must not be sent to. Nothing was sent there. The reason is for logs, not for the user. */
export class OutboundRefused extends Error {
  override readonly name = 'OutboundRefused';
  readonly reason: RefusedReason;

  constructor(reason: RefusedReason) {
    super(`The target of the request is not allowed (${reason}).`);
    this.reason = reason;
  }
}

/** The target did not answer, or not in time. */
export class OutboundFailed extends Error {
  override readonly name = 'OutboundFailed';

  constructor(cause: unknown) {
    super('The target of the request gave no answer.', { cause });
  }
}
