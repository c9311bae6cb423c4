// Package build makes the programs that run in the lab: Kubernetes and etcd, Daymark's own, and the lab's router. They go
// into a cache folder, and their paths into the environment, where the inner process of package sandbox finds them. It
// refuses to run them.
package build
