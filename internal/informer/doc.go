// Package informer lists the objects of the API server as parsed values. Its one job is to turn what the informers' stores
// hold into values of internal/core/lb, once per resourceVersion, and to remember the last version of an object that could
// be parsed. It refuses to know what the values mean or what a loop does with them.
//
// A Lister lists one kind. Cluster lists all the kinds that the controller and the speaker both read:
//
//	kinds := informer.NewCluster(m.GetCache(), "daymark-system")
//	...
//	snapshot, err := kinds.List(ctx)
//
// The manager's cache should be made with Options, which keeps only what the parsers read.
//
// Two traps are handled here. Unknown is not empty: a Lister whose informer has not synced returns an error, never an empty
// list. A value is valid for one resourceVersion only and is shared by all passes that read it: readers must not change it.
package informer
