package layer2

import (
	"time"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// Times of Address Conflict Detection. RFC 5227 section 1.1 probes for 3 to 7 s before an address is used, and RFC 4862
// section 5.1 for 1 s. Those times suit a host that boots on a network with slow switches. Here the node and its link
// have been up for long, a wired neighbor answers within a millisecond, and somebody waits for the Service. So the
// probes follow each other closely. An owner that answers too late is still found, because detection goes on for as
// long as an address is held, and gets the address back within provingTime.
const (
	// probeNum is PROBE_NUM of RFC 5227: how many probes are sent.
	probeNum = 3
	// probeInterval is the wait after each probe, the last one included. It varies by a fifth in both directions, so
	// that two hosts that probe at the same time do not stay in step.
	probeInterval = 50 * time.Millisecond
	// maxProbeDelay is how late step may be called after the last probe. If it is later, the process was suspended and
	// an answer may not have been read yet, so that no answer proves nothing.
	maxProbeDelay = 100 * time.Millisecond
	// conflictProbeInterval is the wait before an address of a conflicting host is probed again. Up to as much again is
	// added at random.
	conflictProbeInterval = 5 * time.Second
	// freeAfter is for how long a conflicting host must have given no sign until an address that is not held is free, and freeRounds how
	// many rounds of probes it must not have answered: it may sleep, reboot, or answer only sometimes, and RFC 5227 section 2.1.1 leaves
	// it the address. Rounds follow each other twice as fast once one was not answered. A host that has come back after some of them must
	// miss twice as many more the next time; no more than maxSilence count.
	freeAfter  = 30 * time.Second
	freeRounds = 7
	maxSilence = 60
	// nodeProbeInterval is that for an address that another node of the cluster uses. It may have claimed it at the same time
	// as we, and will then stop in a moment. nodeConflictTime is how long it must go on until that is a conflict.
	nodeProbeInterval = 500 * time.Millisecond
	nodeConflictTime  = time.Second
	// probeRetryInterval is the wait before another attempt when no interface could send a probe. A new interface ends
	// it.
	probeRetryInterval = time.Second
	// lateProbeInterval is the wait after each probe for a host that may answer later than the quick ones wait for: PROBE_MIN of
	// RFC 5227.
	lateProbeInterval = time.Second
	// defendInterval is DEFEND_INTERVAL of RFC 5227.
	defendInterval = 10 * time.Second
	// conflictTimeout is how long a conflicting host must be silent about an address that we hold until the conflict is
	// over.
	conflictTimeout = time.Minute
)

// acd is the state of Address Conflict Detection for one address (RFC 5227, RFC 4862 section 5.4). The address is being
// probed, is held, or is left to a conflicting host. acd is pure: it is told the time and returns what to do. The
// jitter that its methods take is in [0, 1).
type acd struct {
	// holding: the address is answered and announced. Once it is proven it is never given up again. RFC 5227 section 2.4 (c) permits that
	// to a host that must keep its address. Ours belongs to the cluster by configuration, and its traffic has no other
	// way.
	holding bool
	// provenAt is when nobody may object to it any more; zero: nobody may.
	provenAt time.Time
	// late: a host has answered when the address was held already, or another node did not announce it.
	late bool
	// waitsUntil is until when the address is left to a host that another node has found, and that may come back; zero: none is known.
	waitsUntil time.Time
	// looked is when the last look was for the host of a conflict about an address that is held.
	looked time.Time
	// detection is what the user wants; empty: Probe.
	detection v1beta1.ConflictDetection
	// probes sent in this round; 0 when no round runs.
	probes int
	// due is when step has something to do; zero: never.
	due time.Time
	// conflict is the conflicting host; nil when there is no conflict.
	conflict *conflictingHost
	// lastDefence is when the address was last defended; zero: never.
	lastDefence time.Time
	// defendedFrom are hosts that the address was defended against on other interfaces before it is proven on this one.
	defendedFrom []mac
}

// user is a host that uses one of our addresses.
type user struct {
	mac mac
	// owner of the MAC address, if it is a node of the cluster.
	owner owner
	// interfaceName is the interface that received its last frame.
	interfaceName string
}

// conflictingHost is a host that uses one of our addresses and should not.
type conflictingHost struct {
	user
	since, lastSeen time.Time
	// certain: it is no claim at the same time as ours.
	certain bool
	// uses: it has used the address, and not only probed it as we did.
	uses bool
	// silence is how many rounds of probes in a row it has not answered, and longest the most after which it came back.
	silence, longest int
}

// seen records a sign of the host.
func (h *conflictingHost) seen(now time.Time) {
	h.lastSeen, h.longest, h.silence = now, min(max(h.longest, h.silence), maxSilence), 0
}

// mayReturn records a round of probes without an answer, and reports whether the host may be there all the same. Not waited for are
// hosts that have given way as we did, and other nodes of the cluster, which stop when the claims tell them to.
func (h *conflictingHost) mayReturn(now time.Time) bool {
	if !h.certain || !h.uses || h.owner.other() {
		return false
	}
	h.silence++
	return h.silence < freeRounds+2*h.longest || now.Sub(h.lastSeen) < freeAfter
}

// action is what step asks its caller to do.
type action uint8

const (
	doNothing action = iota
	// doProbe: send a probe; call probeFailed if no interface could send it.
	doProbe
	// doHold: the address is free, or announced in spite of a conflict. It is held from now on; a conflict that is not there any
	// more is over.
	doHold
	// doEndConflict: a conflict about an address that is held is over.
	doEndConflict
	// doLook: send a probe for an address that is held.
	doLook
)

// newACD returns the state of a new address: to be probed first, or held at once.
func newACD(now time.Time, probe bool, detection v1beta1.ConflictDetection) acd {
	if probe && detection != v1beta1.ConflictOff {
		return acd{due: now, detection: detection}
	}
	return acd{holding: true, detection: detection}
}

// setDetection changes what the user wants. An address that was left to a host is tried again.
func (d *acd) setDetection(now time.Time, detection v1beta1.ConflictDetection) {
	if d.detection == detection {
		return
	}
	d.detection = detection
	switch {
	case !d.holding:
		d.probes, d.due = 0, now
	case d.conflict != nil && detection == v1beta1.ConflictOff:
		d.conflict.lastSeen, d.due = time.Time{}, now
	}
}

// step returns what has to be done now.
func (d *acd) step(now time.Time, jitter float64) action {
	switch {
	case d.due.IsZero() || now.Before(d.due):
		return doNothing
	case d.holding:
		return d.stepHeld(now)
	case d.needsProbe(now):
		d.probes++
		interval := probeInterval
		if d.late {
			interval = lateProbeInterval
		}
		d.due = now.Add(time.Duration(float64(interval) * (0.8 + 0.4*jitter)))
		return doProbe
	case d.detection != v1beta1.ConflictWarn && d.detection != v1beta1.ConflictOff &&
		(d.conflict != nil && d.conflict.mayReturn(now) || now.Before(d.waitsUntil)):
		d.probes, d.due = 0, now.Add(time.Duration(float64(conflictProbeInterval)*(1+jitter)/2))
		return doNothing
	default:
		d.holding, d.late, d.probes, d.due = true, false, 0, time.Time{}
		if d.conflict != nil && d.detection == v1beta1.ConflictWarn && d.conflict.certain && now.Sub(d.conflict.lastSeen) < conflictProbeInterval {
			d.looked, d.due = now, now.Add(conflictLook)
		} else {
			d.conflict = nil
			d.beginProving(now)
		}
		return doHold
	}
}

// needsProbe reports whether another probe is needed before the address may be held. When step is always called late,
// it asks for no more than twice as many probes, so that the round ends.
func (d *acd) needsProbe(now time.Time) bool {
	late := now.Sub(d.due) > maxProbeDelay
	return !d.holding && d.detection != v1beta1.ConflictOff && (d.probes < probeNum || late && d.probes < 2*probeNum)
}

// probeDue reports whether step would ask for a probe.
func (d *acd) probeDue(now time.Time) bool {
	return !d.due.IsZero() && !now.Before(d.due) && d.needsProbe(now)
}

// probeFailed records that no interface could send the last probe. The round begins again after probeRetryInterval.
func (d *acd) probeFailed(now time.Time) {
	if d.probes > 0 {
		d.probes, d.due = 0, now.Add(probeRetryInterval)
	}
}

// restart begins again, because nothing could be sent before: the round or, if the address is held on trial, the looks. One with a
// conflict keeps its time.
func (d *acd) restart(now time.Time) {
	switch {
	case d.conflict != nil:
	case !d.holding:
		d.probes, d.due = 0, now
	case d.unproven():
		d.goOnProving(now)
	}
}

// addressInUse records that a foreign host uses the address, or, if it is not held, another node of the cluster. began reports
// a new conflict. An address that is not proven yet is not held any more afterwards. defend reports that one
// announcement has to be sent: at most one in each defendInterval, so that two hosts that both defend do not flood the
// segment (RFC 5227 section 2.4).
func (d *acd) addressInUse(now time.Time, by user, jitter float64) (began, defend bool) {
	if d.detection == v1beta1.ConflictOff {
		return false, false
	}
	d.yields(by)
	inRound := !d.holding && (d.probes > 0 || d.conflict == nil)
	if d.conflict == nil {
		d.conflict = &conflictingHost{user: by, since: now}
		if d.holding {
			d.looked, d.due = now, now.Add(conflictLook)
		}
	}
	d.conflict.seen(now)
	d.conflict.uses = true
	if began = !d.conflict.certain && (!by.owner.other() || now.Sub(d.conflict.since) >= nodeConflictTime); began {
		d.conflict.certain = true
	}
	if inRound && d.detection != v1beta1.ConflictWarn {
		interval := conflictProbeInterval
		if by.owner.other() && !d.conflict.certain {
			interval = nodeProbeInterval
		}
		d.probes, d.due = 0, now.Add(time.Duration(float64(interval)*(1+jitter)))
	}
	if defend = d.holding && (d.lastDefence.IsZero() || now.Sub(d.lastDefence) >= defendInterval); defend {
		d.lastDefence = now
	}
	if inRound || defend {
		// The latest host, but no more often than this: many hosts must not cause many changes.
		d.conflict.user = by
	}
	return began, defend
}

// probedBy records that a foreign host probes the address. If we probe it at the same time, both want it, and both give
// way (RFC 5227 section 2.1.1, RFC 4862 section 5.4.3). At any other time its probe is a request and not a conflict.
func (d *acd) probedBy(now time.Time, by user, jitter float64) (began bool) {
	if d.probes == 0 {
		return false
	}
	used := d.conflict != nil && d.conflict.uses
	if began, _ = d.addressInUse(now, by, jitter); d.conflict != nil {
		d.conflict.uses = used
	}
	return began
}

// endConflictWithNode ends a conflict with another node of the cluster, and reports whether there was one. An address that was left
// to it is probed again at once.
func (d *acd) endConflictWithNode(now time.Time) bool {
	if d.conflict == nil || !d.conflict.owner.other() {
		return false
	}
	d.conflict, d.probes, d.due = nil, 0, d.provenAt
	if !d.holding {
		d.due = now
	}
	return true
}

// clearConflict ends the conflict if its host belongs to the cluster, and reports whether it did. An address that was
// left to that host is probed again at once.
func (d *acd) clearConflict(now time.Time, inCluster func(mac) bool) bool {
	if d.conflict == nil || d.conflict.owner.other() || !inCluster(d.conflict.mac) {
		return false
	}
	d.conflict, d.probes, d.due = nil, 0, d.provenAt
	if !d.holding {
		d.due = now
	}
	return true
}
