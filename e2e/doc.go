// Package e2e keeps Daymark's promises to the user, one file for each, on real Kubernetes in the lab. Its tests say what a
// user would see: an EXTERNAL-IP, an answer to ARP, a route in a router's kernel, a page from a pod. It refuses to look
// inside the programs under test, which run as they are installed, with the race detector.
package e2e
