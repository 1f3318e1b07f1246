// The whole gateway as users get it: the built executable, real servers, real processes.

import Testing

/// One after the other: each test starts half a dozen processes, and the machine may have two cores.
@Suite("End to end", .serialized)
struct EndToEnd {}
