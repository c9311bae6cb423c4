// Package forecast says what a cluster comes to when its objects change: which addresses its Services have then, who holds them by layer
// 2, and which nodes announce them by BGP. Its one job is to let the packages that the daemons decide with decide, pass after pass, until
// nothing changes any more, in the place of the controller and of all speakers. It refuses to read objects, and to have any rule of who
// gets what; what it must assume about the world outside of the objects it says where it does.
//
// Files: outcome.go has the steps; addresses.go is the controller, holders.go the speakers by layer 2, routes.go those by BGP;
// routers.go says whose session there is with a router; sessions.go and drain.go have the assumptions; compare.go tells two outcomes apart.
package forecast
