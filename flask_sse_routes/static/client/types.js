/** The types that a program meets: what a route is, what a stream tells, what one may ask for. */
export {};
