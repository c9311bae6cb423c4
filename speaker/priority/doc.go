// Package priority has the kernel run the speaker's threads before those of ordinary programs, so that on a node whose processors
// are all busy heartbeats, BFD and answers to ARP are in time. Its one job is to choose the scheduling policy of all threads: real
// time (SCHED_RR, the lowest priority of that) while the speaker takes little processor time, and the ordinary one as soon as it
// takes more, so that what it reads and computes delays nobody. That is so while it starts, too. It refuses to know what the threads do: Go's runtime decides
// which of them runs what.
//
// Nice values do not do it: they order the threads within a cgroup, and a Pod has its own. Between cgroups the processor request
// decides, which is a share, and with a small share whoever wakes waits for the others' slices, however little it takes.
//
// It needs CAP_SYS_NICE, and a kernel that admits real-time threads in the cgroup of a Pod: one with CONFIG_RT_GROUP_SCHED does not
// unless the cgroup has a runtime of its own. Where it is refused everything works as before, and the log says so once.
package priority
