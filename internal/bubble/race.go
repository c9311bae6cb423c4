//go:build race

package bubble

// raceDetector says whether the program was built with -race.
const raceDetector = true
