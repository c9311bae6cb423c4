// Package lab is a network with real Kubernetes on it, on one Linux machine: hosts are network namespaces on an Ethernet
// segment of their own, with etcd, kube-apiserver, kube-controller-manager and a kube-proxy in every node, a client on the
// segment, and a router (FRR, BIRD or the lab's own on GoBGP) with a second client behind it. The demo and the end-to-end
// tests drive it; they read like prose:
//
//	cluster := lab.New(t, lab.Nodes(3))
//	cluster.InstallDaymark()
//	web := cluster.Pod("web", "n1")
//	cluster.Node("n1").Crash()
//	answer := cluster.Client().MustGet("http://192.0.2.200/")
//
// Only the kubelet is played: the lab writes Node and Pod objects and their status, and a pod is an HTTP server in a
// namespace of its own that says who it is and whom it saw. Everything else is the real thing.
//
// A process that uses the lab first moves into a user, mount, network and process namespace of its own (Main, Enter), so
// nothing of it is ever left on the machine, whatever happens, and it needs no root. That process is on the API server's
// host.
//
// This package puts the parts together, runs Daymark on them, and hands the whole to one test at a time. The parts are
// packages below it, each of which imports only those above it in this list:
//
//	check         tells a test what is wrong
//	build         the programs: Kubernetes, Daymark, the lab's router
//	sandbox       this process in namespaces of its own
//	segment       the network: hosts, switches, addresses
//	controlplane  etcd, API server, kubectl, objects
//	probe         clients, and what they see
//	node          played kubelets, pods, service proxies
//	router        FRR, BIRD, GoBGP
//	fault         crashes, partitions, links, foreign hosts
//
// It refuses to know anything of what is tested: no address pool, no election, no announcement. It never waits a fixed
// time for something to happen, sends no packet out of its namespaces, and ends only what it started.
package lab
