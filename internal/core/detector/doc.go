// Package detector decides which speakers are alive. Its one job is the rules of failure detection, after SWIM: who observes
// whom and when a silent peer counts as dead (Detector), when a speaker knows its peers well enough to act (Bootstrap), and
// whether this process itself was stopped and may be out of date (Pause).
//
// It is told what happened and when. It refuses to send, receive or encode anything, to read a clock, and to decide what
// follows from a death: that is internal/core/election's job.
package detector
