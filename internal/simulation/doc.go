// Package simulation runs the programs themselves for simulated years: a controller and its replica in one process, and the speakers of
// three nodes with them, on a clock of their own, against an API server and a network made for it. Its one job is to find what breaks a promise, whatever fails and in whatever
// order; what it finds a seed repeats. It refuses to decide anything: what runs are the loops of controller/reconcile and
// speaker/reconcile, with the client libraries that they have in a cluster. It consists of tests only, and no program imports it.
//
// What is made for it: server_test.go is the API server, client_test.go and watch_test.go the ways to it, each with loss, delay and
// outages. process_test.go is a program that starts, crashes between any two calls and starts again. scenario_test.go is what people
// do meanwhile, faults_test.go what fails. judge_test.go sees every write when it is made, and knows the promises; quiet_test.go those
// that hold when nothing happens any more.
//
// Of speakers: speaker_test.go puts the program together, in which mesh_test.go has the place of the gossip, segment_test.go that of layer 2,
// and routers_test.go that of BGP. cluster_test.go is what people do about announcements. sight_test.go is what a speaker has been told, by
// which announced_test.go judges what it tells routers; speakers_test.go has the runs, and what must hold in the end.
package simulation
