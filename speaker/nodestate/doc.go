// Package nodestate reads what the node, the speaker's Pod and the machine are like at the moment when the speaker is told
// to end. Its one job is to have the facts for internal/core/departure, fresh and in bounded time. It refuses to decide what
// they mean.
package nodestate
