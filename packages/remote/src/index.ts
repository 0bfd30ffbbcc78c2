/** The server of every build cache and of remote execution, and its client. */
export {};
