package informer

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

func TestRetry_UntilTheAPIServerAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls, began := 0, time.Now()
		got, err := retry(t.Context(), &retrier{}, func() (string, error) {
			calls++
			if time.Since(began) < time.Minute {
				return "", errors.New("connection refused")
			}
			return "answer", nil
		})
		if got != "answer" || err != nil {
			t.Errorf("got %q and error %v", got, err)
		}
		if late := time.Since(began) - time.Minute; late > 6*time.Second || calls > 60 {
			t.Errorf("%d calls, and the answer came %s late", calls, late)
		}
	})
}

func TestRetry_OneAnswerWakesAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, back, began := &retrier{}, time.Minute, time.Now()
		answers := make(chan time.Duration)
		for range 20 {
			go func() {
				_, _ = retry(t.Context(), r, func() (int, error) {
					if time.Since(began) < back {
						return 0, errors.New("connection refused")
					}
					return 0, nil
				})
				answers <- time.Since(began)
			}()
		}
		first := <-answers
		for range 19 {
			if next := <-answers; next != first {
				t.Errorf("one has its answer after %s, another after %s", first, next)
			}
		}
	})
}

func TestRetry_ReturnsARefusalOfTheRequest(t *testing.T) {
	expired := apierrors.NewResourceExpired("too old")
	calls := 0
	if _, err := retry(t.Context(), &retrier{}, func() (int, error) { calls++; return 0, expired }); !errors.Is(err, expired) || calls != 1 {
		t.Errorf("error %v after %d calls", err, calls)
	}
}

func TestRetry_EndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := retry(ctx, &retrier{}, func() (int, error) { return 0, errors.New("connection refused") }); err == nil {
			t.Error("no error")
		}
	})
}
