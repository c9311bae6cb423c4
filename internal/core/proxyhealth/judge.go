package proxyhealth

import "time"

const (
	// FailTime is how long a proxy may fail, or fail on most nodes, before that moves anything. A restart takes less.
	FailTime = 10 * time.Second
	// bootTime is how long a node waits without condition for a proxy that should be there.
	bootTime = time.Minute
	// meetTime is the longest wait for the others' word on whether there are proxies at all.
	meetTime = 15 * time.Second
	// lookTime is when to look again at what only time changes.
	lookTime = time.Second
	// firstRest and maxRest bound how long a proxy must work that failed again within restMemory.
	firstRest, maxRest, restMemory = 10 * time.Second, 5 * time.Minute, 10 * time.Minute
	// handOverTime is how long health-check ports that were taken are left alone when a proxy appears. kube-proxy tries to open
	// its ports whenever it writes its rules, which is every 30 s at the latest.
	handOverTime = 35 * time.Second
)

// Input of a judgement.
type Input struct {
	Now   time.Time
	Check Check
	// Others are the states of the other nodes' proxies, as far as their speakers tell.
	Others []State
	// OthersKnown: the other speakers have told, or there are none to wait for.
	OthersKnown bool
	// Asking: how the others are is being found out, so a node is neither withdrawn nor taken back before that is known.
	Asking bool
	// Before counts in the first judgement only.
	Before Memory
}

// Verdict of a judgement.
type Verdict struct {
	State State
	// Ports says whose the health-check ports are.
	Ports Ports
	// Wait is when to judge again though nothing has happened; 0: no need.
	Wait time.Duration
}

// Judge remembers what the judgement of one node depends on. The zero value is ready for use.
type Judge struct {
	// began is when this process first asked.
	began time.Time
	// memory of the proxy, kept up to date.
	memory Memory
	// changed is since when the proxy has worked, or not worked.
	changed time.Time
	works   bool
	// minority is since when it fails here and works on most nodes; majority, since when it fails on most. One of them is zero.
	minority, majority time.Time
	state              State
	rest               rest
	// crowd bounds how often the node goes and comes because others make the proxies that fail most of all, or not most. takenBack: it attracts
	// since they were most.
	crowd     rest
	takenBack bool
	ports     ports
}

// Update judges anew.
func (j *Judge) Update(in Input) Verdict {
	if in.Check == Off {
		*j = Judge{}
		return Verdict{}
	}
	if j.began.IsZero() {
		j.began, j.changed, j.memory = in.Now, in.Now, in.Before
		if in.Before.Withdrawn {
			j.state = Withdrawn // as long as it does not work
		}
	}
	j.observe(in)
	if j.works {
		j.state, j.takenBack = j.working(in.Now), false
	} else {
		j.state = j.failing(in)
	}
	v := Verdict{State: j.state, Ports: j.ports.owner(in.Now, in.Check, j.state)}
	if j.changesWithTime(in.Now) {
		v.Wait = lookTime
	}
	return v
}

// changesWithTime reports whether the verdict may change though nothing happens.
func (j *Judge) changesWithTime(now time.Time) bool {
	switch j.state {
	case Fails, Awaited, Unsteady:
		return true
	case Withdrawn:
		return !j.majority.IsZero()
	default:
		return now.Before(j.ports.until)
	}
}

// observe takes in what the check says. A proxy that starts anew counts as working if it has worked since the node booted: the
// rules that it wrote are in the kernel.
func (j *Judge) observe(in Input) {
	works := in.Check == Working || in.Check == Starting && j.memory.Worked
	if works != j.works {
		j.works, j.changed = works, in.Now
	}
	if in.Check == Working {
		j.memory = Memory{Seen: true, Worked: true}
	}
	if j.works {
		j.minority, j.majority = time.Time{}, time.Time{}
		return
	}
	since, other := &j.minority, &j.majority
	if j.memory.Withdrawn && (!in.OthersKnown || in.Asking) {
		return // Of one that has begun anew nobody says yet how the others are, and it stays as it was.
	}
	if most(in.Others) && !in.Asking {
		since, other = other, since
	}
	*other = time.Time{}
	if since.IsZero() {
		*since = in.Now
	}
}

// working is the state of a node whose proxy works.
func (j *Judge) working(now time.Time) State {
	if j.state != Withdrawn && j.state != Unsteady {
		return Works
	}
	if now.Sub(j.changed) < j.rest.length {
		return Unsteady
	}
	j.rest.returned = now
	return Works
}

// failing is the state of a node whose proxy does not work.
func (j *Judge) failing(in Input) State {
	if !j.memory.Worked {
		if state, decided := j.awaiting(in); decided {
			return state
		}
	}
	lasts := func(since time.Time) bool { return !since.IsZero() && in.Now.Sub(since) >= FailTime }
	switch {
	case j.state.AttractsNothing() && !lasts(j.majority):
		return j.attractingNothing()
	case lasts(j.majority):
		if j.state.AttractsNothing() {
			j.crowd.fail(in.Now)
			j.takenBack = true
		}
		return FailsOnMost
	case !in.Asking && lasts(j.minority) && !(j.takenBack && in.Now.Sub(j.minority) < j.crowd.length):
		j.rest.fail(in.Now)
		j.crowd.returned, j.takenBack = in.Now, false
		return j.attractingNothing()
	default:
		return Fails
	}
}

// attractingNothing is the state in which a node attracts nothing because its proxy does not work.
func (j *Judge) attractingNothing() State {
	if !j.memory.Worked {
		return Awaited
	}
	return Withdrawn
}

// awaiting is the state of a node whose proxy has not worked since the node booted; not decided: as that of any that fails.
func (j *Judge) awaiting(in Input) (State, bool) {
	age, works := in.Now.Sub(j.began), anyWorks(in.Others)
	expected := j.memory.Seen || works || in.Check != Absent
	switch {
	case !expected && !in.OthersKnown && !j.memory.NotFound && age < meetTime:
		return Awaited, true
	case expected && age < bootTime:
		// One that was not to be found attracts already.
		return Awaited, j.state == NotChecked || j.state.AttractsNothing()
	case in.Check == Absent && !works:
		// What was there before the node booted does not come back: it was replaced.
		j.memory.Seen = false
		return NotFound, true
	default:
		return Fails, false
	}
}

// most reports whether more proxies fail than work, one's own among those that fail.
func most(others []State) bool {
	works, fails := 0, 1
	for _, state := range others {
		switch ok, known := state.votes(); {
		case known && ok:
			works++
		case known:
			fails++
		}
	}
	return fails > works
}

func anyWorks(others []State) bool {
	for _, state := range others {
		if works, _ := state.votes(); works {
			return true
		}
	}
	return false
}

// rest is how long it must be well what fails again and again: the proxy of the node, or those of most nodes.
type rest struct {
	returned time.Time
	length   time.Duration
}

// fail takes in that it fails.
func (r *rest) fail(now time.Time) {
	if r.returned.IsZero() || now.Sub(r.returned) > restMemory {
		r.length = 0
		return
	}
	r.length = min(max(2*r.length, firstRest), maxRest)
}

// ports remembers whose the health-check ports are.
type ports struct {
	// taken: they were free to be taken at some time since the proxy has been away.
	taken bool
	// until when a proxy that has appeared is left alone with them.
	until time.Time
}

// owner says whose they are.
func (p *ports) owner(now time.Time, check Check, state State) Ports {
	if check == Absent {
		if state == Fails || state == Awaited {
			return ProxysOwn
		}
		p.taken = true
		if state == NotFound {
			return Unwatched
		}
		return Free
	}
	if p.taken {
		p.taken, p.until = false, now.Add(handOverTime)
	}
	if check != Working || now.Before(p.until) {
		return ProxysOwn
	}
	return Free
}
