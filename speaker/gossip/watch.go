package gossip

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/daymark-lb/daymark/internal/core/rendezvous"
)

const (
	// mostOthers bounds how many speakers are remembered.
	mostOthers = 10_000
	// mostPatience is the most that false alarms lengthen the patience with a speaker, in times; each doubles it.
	mostPatience = 4
	// calm is how long no false alarm must come before the patience is halved again.
	calm = time.Minute
	// eager is how many ticks an accusation is repeated at each; afterwards just often enough that it does not lapse.
	eager = 20
	// few is how many absent speakers are pinged often.
	few = 16
	// forgetAfter is how long a speaker that is neither alive nor expected is remembered.
	forgetAfter = 10 * time.Minute
)

// watch is the rule of who is alive. It is pure: it is told what happens and when.
//
// A speaker is alive when it has not left, and either it was heard within our patience, or memberlist counts it as alive
// and it is not silent. Each speaker has watchers, who ping it. A watcher that hears nothing for as long as its patience
// accuses it of silence and tells everybody; one that hears it denies that. It is silent when more than half of those
// watchers accuse it who have a voice in this: not those who are silent to our own ears, and, once the patience has passed
// since the first accusation, not those who have said nothing about it. So the two sides of a partition each come to their
// verdict without the other, and one cut link between two speakers that others hear changes nothing.
//
// In a large cluster a partition may leave a speaker without any watcher on one side. There memberlist finds it out.
//
// A speaker that does not get to run hears nothing either: time that passes without ticks of its own does not count.
type watch struct {
	self soul
	// beat is the time between ticks, patience how long a speaker may be quiet; no patience: there are no heartbeats.
	beat, patience time.Duration
	// ticked is the time of the last tick.
	ticked time.Time
	others map[string]*other
	// expected are those who are never forgotten.
	expected map[string]struct{}
	// live are those who may be watchers, in order of name, this speaker included; stale: they may have changed.
	live  []soul
	stale bool
	// casting are the votes to be told.
	casting []ballot
	// changed: what View tells of has changed.
	changed bool
	// returned counts returns to life of the same instance, alarms those of them that came so soon that the patience was
	// too short: who is away for longer has been away. missed counts the
	// ticks at which a watched speaker had not answered.
	returned, alarms, missed uint64
}

// other is what is known of another speaker.
type other struct {
	soul
	// instance is the latest known, and all else is about that; 0: it has not said.
	instance uint64
	// gossip: memberlist counts it as alive. This alone outlasts an instance.
	gossip bool
	left   bool
	// ponged: it has answered a ping.
	ponged bool
	// heard is when the last sign of life came.
	heard time.Time
	// stretch is the patience with it, in times of the usual; stretched is when it last changed.
	stretch   int
	stretched time.Time
	// accuse is our own vote, for repeats ticks now; told is when it was last told.
	accuse  bool
	repeats int
	told    time.Time
	// votes of its other watchers; accused is since when there has been an accusation among all.
	votes   map[string]vote
	accused time.Time
	// watched: we are among its watchers, as of the present live.
	watched, settled bool
	// silent and alive are the verdicts; muted: its last death was by silence, which memberlist has not confirmed; lived: it
	// has been alive.
	silent, alive, muted, lived bool
	// lost is when it was last alive, last when it had been heard before that.
	lost, last time.Time
}

// vote is the last one of a watcher.
type vote struct {
	seq    uint64
	at     time.Time
	silent bool
}

func newWatch(self string, timing Timing) *watch {
	return &watch{
		self: soul{self, rendezvous.Hash(self)}, beat: timing.beat(),
		patience: timing.HeartbeatInterval * time.Duration(timing.HeartbeatMultiplier),
		others:   map[string]*other{}, stale: true,
	}
}

// know finds a speaker, or makes it known; nil: there are too many, or it is ourselves.
func (w *watch) know(node string) *other {
	o := w.others[node]
	if o == nil && node != w.self.node && len(w.others) < mostOthers {
		o = &other{soul: soul{node, rendezvous.Hash(node)}, stretch: 1}
		w.others[node] = o
	}
	return o
}

// meet finds a speaker whose instance was mentioned. A later instance takes the place of the one known; for an earlier
// one the answer is nil.
func (w *watch) meet(node string, instance uint64) *other {
	o := w.know(node)
	if o == nil || instance < o.instance {
		return nil
	}
	if instance > o.instance {
		w.renew(o, instance)
	}
	return o
}

func (w *watch) renew(o *other, instance uint64) {
	*o = other{soul: o.soul, instance: instance, gossip: o.gossip, stretch: 1, alive: o.alive, lost: o.lost}
	w.changed, w.stale = true, true
}

// now is a time that does not pass while we do not tick.
func (w *watch) now(now time.Time) time.Time {
	if limit := w.ticked.Add(w.beat * 3 / 2); now.After(limit) {
		return limit
	}
	return now
}

// hear is told of a sign of life that came by datagram from a speaker itself; pong: it answers us. It reports whether
// there may be things that we have not told each other, since the speaker was not alive before, or was not heard for as
// long as our patience, whatever others said of it meanwhile; and when it was heard last.
func (w *watch) hear(now time.Time, node string, instance uint64, pong bool) (back bool, before time.Time) {
	o := w.meet(node, instance)
	if o == nil || o.left {
		return false, time.Time{}
	}
	was, before := o.alive && o.lived, o.heard
	parted := w.votes(o) && !before.IsZero() && w.quiet(now, o)
	o.heard, o.ponged = now, o.ponged || pong
	w.judge(now, o)
	return (!was || parted) && o.alive, before
}

// listed is told by memberlist that it counts a speaker as alive now, or does not any more.
func (w *watch) listed(now time.Time, node string, instance uint64, alive bool) {
	o := w.know(node)
	if o == nil {
		return
	}
	if alive && (instance > o.instance || instance == 0 && o.instance != 0) {
		w.renew(o, instance)
	}
	w.stale = w.stale || o.gossip != alive
	o.gossip = alive
	o.muted = o.muted && alive // It was no false alarm, whatever comes.
	w.judge(now, o)
}

// leave is told that a speaker has said farewell.
func (w *watch) leave(now time.Time, node string, instance uint64) {
	if o := w.meet(node, instance); o != nil {
		o.left = true
		w.judge(now, o)
	}
}

// hearsay is told of the vote of another watcher. An accusation that we can deny or confirm is answered.
func (w *watch) hearsay(now time.Time, from string, seq uint64, b ballot) {
	if w.others[from] == nil || w.others[b.node] == nil {
		return // Neither may fill our memory.
	}
	o := w.meet(b.node, b.instance)
	if o == nil {
		return
	}
	if last, voted := o.votes[from]; voted && last.seq >= seq {
		return
	}
	if o.votes == nil {
		o.votes = map[string]vote{}
	}
	o.votes[from] = vote{seq, now, b.silent}
	if b.silent && o.accused.IsZero() {
		o.accused = w.now(now)
	}
	w.judge(now, o)
	if b.silent && w.votes(o) && now.Sub(o.told) >= w.beat/2 {
		w.cast(now, o)
	}
}

// mention is told that somebody else knows of an instance of a speaker.
func (w *watch) mention(now time.Time, node string, instance uint64) {
	if o := w.meet(node, instance); o != nil {
		w.judge(now, o)
	}
}

// expect is told whom there should be, besides those who are known.
func (w *watch) expect(expected map[string]struct{}) {
	w.expected = expected
	for node := range expected {
		w.know(node)
	}
}

// cast notes our vote on a speaker to be told.
func (w *watch) cast(now time.Time, o *other) {
	o.told = now
	w.casting = append(w.casting, ballot{o.node, o.instance, o.accuse})
}

// tick is told of the regular passing of time, and returns how long it took since the last tick. When that was too long
// everybody is given as much more time: all but a beat, so that one who always comes late still hears a silence.
func (w *watch) tick(now time.Time) (gap time.Duration) {
	if w.ticked.IsZero() {
		w.ticked = now
	}
	gap = now.Sub(w.ticked)
	w.ticked = now
	for node, o := range w.others {
		if gap > w.beat*3/2 {
			o.grant(now, gap-w.beat)
		}
		if o.stretch > 1 && now.Sub(o.stretched) >= calm {
			o.stretch, o.stretched = o.stretch/2, now
		}
		w.lapse(now, o)
		if o.alive || o.gossip || o.lost.IsZero() {
			o.lost = now
		}
		if _, expected := w.expected[node]; !expected && now.Sub(o.lost) >= forgetAfter {
			delete(w.others, node)
		}
		if w.votes(o) && now.Sub(o.heard) > w.beat*3/2 {
			w.missed++
		}
	}
	w.judgeAll(now)
	for _, o := range w.others {
		if o.accuse {
			if o.repeats++; o.repeats > 1 && (o.repeats <= eager || now.Sub(o.told) >= w.voteLife()/3) {
				w.cast(now, o)
			}
		}
	}
	return gap
}

// grant takes away from a silence the time in which we did not listen.
func (o *other) grant(now time.Time, gap time.Duration) {
	for _, since := range []*time.Time{&o.heard, &o.accused} {
		if since.IsZero() {
			continue
		}
		if *since = since.Add(gap); since.After(now) {
			*since = now
		}
	}
}

// voteLife is how long a vote counts unless it is repeated.
func (w *watch) voteLife() time.Duration { return max(time.Second, 3*w.beat) }

// lapse forgets the votes that were not repeated.
func (w *watch) lapse(now time.Time, o *other) {
	accused := o.accuse
	maps.DeleteFunc(o.votes, func(_ string, v vote) bool {
		old := now.Sub(v.at) >= w.voteLife()
		accused = accused || !old && v.silent
		return old
	})
	if !accused {
		o.accused = time.Time{}
	}
}

// judgeAll judges everybody.
func (w *watch) judgeAll(now time.Time) {
	for _, o := range w.others {
		w.judge(now, o)
	}
}

// judge comes to our own vote and to the verdicts on one speaker.
func (w *watch) judge(now time.Time, o *other) {
	present := w.now(now)
	fresh := !o.heard.IsZero() && !w.quiet(present, o)
	if accuse := w.votes(o) && !fresh; accuse != o.accuse {
		o.accuse, o.repeats = accuse, 0
		if accuse && o.accused.IsZero() {
			o.accused = present
		}
		w.cast(now, o)
	}
	silent := w.majority(now, o)
	w.changed = w.changed || silent != o.silent
	o.silent = silent
	w.settle(now, o, !o.left && (fresh || o.gossip && !silent))
}

// settle notes the verdict on a speaker.
func (w *watch) settle(now time.Time, o *other, alive bool) {
	switch {
	case alive && !o.alive && o.lived:
		w.returned++
		if o.muted && now.Sub(o.last) < 2*w.patience*time.Duration(o.stretch) {
			w.alarms++
			o.stretch, o.stretched = min(2*o.stretch, mostPatience), now
		}
	case !alive && o.alive:
		o.muted, o.last, o.lost = o.silent && o.gossip && !o.left, o.heard, now
	}
	if alive != o.alive {
		w.changed, w.stale = true, true
	}
	o.alive, o.lived = alive, o.lived || alive
}

// quiet reports whether a speaker was not heard for as long as our patience with it.
func (w *watch) quiet(present time.Time, o *other) bool {
	return w.patience == 0 || present.Sub(o.heard) >= w.patience*time.Duration(o.stretch)
}

// votes reports whether we have a voice about a speaker: we watch it, and have heard it answer. Where memberlist has given
// it up there is nothing to vote about.
func (w *watch) votes(o *other) bool {
	return w.patience > 0 && o.ponged && o.gossip && !o.left && w.watching(o)
}

// majority counts the votes on a speaker.
func (w *watch) majority(now time.Time, o *other) bool {
	if o.accused.IsZero() || w.patience == 0 {
		return false
	}
	var against, voices int
	for _, node := range watchersOf(o.soul, w.alive()) {
		voice, silent := w.voice(now, o, node)
		if voice {
			voices++
		}
		if voice && silent {
			against++
		}
	}
	return 2*against > voices
}

// voice reports whether a watcher has a voice about a speaker, and whether it is against it.
func (w *watch) voice(now time.Time, o *other, node string) (voice, silent bool) {
	if node == w.self.node {
		return w.votes(o), o.accuse
	}
	watcher := w.others[node]
	if watcher == nil || watcher.left || w.deaf(w.now(now), watcher) {
		return false, false
	}
	if last, voted := o.votes[node]; voted && now.Sub(last.at) < w.voteLife() {
		return true, last.silent
	}
	return w.now(now).Sub(o.accused) < w.patience, false
}

// deaf reports whether a watcher is silent to us: by our own ears where we watch it, by the votes otherwise.
func (w *watch) deaf(present time.Time, o *other) bool {
	if w.votes(o) {
		return w.quiet(present, o)
	}
	return !o.alive
}

// watching reports whether we are among the watchers of a speaker.
func (w *watch) watching(o *other) bool {
	live := w.alive()
	if !o.settled {
		o.watched, o.settled = watches(w.self, o.soul, live), true
	}
	return o.watched
}

// alive are those who may be watchers: whom memberlist counts as alive or who are heard. Who merely is silent stays among
// them, so that no others take its place in the middle of a vote.
func (w *watch) alive() []soul {
	if w.stale {
		w.live = append(w.live[:0], w.self)
		for _, o := range w.others {
			o.settled = false
			if !o.left && (o.gossip || o.alive) {
				w.live = append(w.live, o.soul)
			}
		}
		slices.SortFunc(w.live, func(a, b soul) int { return cmp.Compare(a.node, b.node) })
		w.stale = false
	}
	return w.live
}

// deadline is when a verdict may next fall by the passing of time alone; zero: never.
func (w *watch) deadline(now time.Time) time.Time {
	var next time.Time
	consider := func(at time.Time) {
		if at.After(now) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	for _, o := range w.others {
		if o.alive && !o.heard.IsZero() {
			consider(o.heard.Add(w.patience * time.Duration(o.stretch)))
		}
		if !o.accused.IsZero() {
			consider(o.accused.Add(w.patience))
		}
	}
	return next
}

// take returns the votes to be told now.
func (w *watch) take() []ballot {
	ballots := w.casting
	w.casting = nil
	return ballots
}

// targets are those to ping at a tick: whom we watch, and who is heard though memberlist has not taken it back, at each;
// and the absent: a few each fourth tick, of many each about once in a second.
func (w *watch) targets(tick uint64) []string {
	if w.patience == 0 {
		return nil
	}
	var targets, absent []string
	for node, o := range w.others {
		_, expected := w.expected[node]
		switch {
		case !o.left && (o.gossip && w.watching(o) || o.alive && !o.gossip):
			targets = append(targets, node)
		case !o.alive && (!o.left || expected):
			absent = append(absent, node)
		}
	}
	slices.Sort(absent)
	turns := uint64(4)
	if len(absent) > few {
		turns = max(turns, uint64(time.Second/w.beat)) //nolint:gosec // Positive.
	}
	for i, node := range absent {
		if uint64(i)%turns == tick%turns {
			targets = append(targets, node)
		}
	}
	return targets
}
