// Package testnet makes networks for tests on one machine: network namespaces, links between them, processes that run in
// them, and the routers FRR and BIRD. It is what internal/netnstest (packet tests) and e2e/lab (end-to-end tests, demo) have
// in common: both start these things by it, in one way.
//
// It returns errors and refuses to know of testing.T, of Kubernetes, and of what is tested. It does not isolate the process
// that uses it: that process must be root of a user namespace, or of the machine.
package testnet
