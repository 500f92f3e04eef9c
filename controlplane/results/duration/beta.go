package duration

import "math"

// beta is the regularized incomplete beta function, by its continued fraction.
func beta(x, a, b float64) float64 {
	switch {
	case x <= 0:
		return 0
	case x >= 1:
		return 1
	case x > (a+1)/(a+b+2):
		return 1 - beta(1-x, b, a)
	}
	front := math.Exp(a*math.Log(x) + b*math.Log(1-x) + lgamma(a+b) - lgamma(a) - lgamma(b))
	return front * fraction(x, a, b) / a
}

// fraction evaluates the continued fraction with Lentz's method.
func fraction(x, a, b float64) float64 {
	const tiny, precise, rounds = 1e-300, 1e-15, 500
	bounded := func(v float64) float64 {
		if math.Abs(v) < tiny {
			return tiny
		}
		return v
	}
	c, d := 1.0, 1/bounded(1-(a+b)*x/(a+1))
	value := d
	for i := 1; i <= rounds; i++ {
		m := float64(i)
		even := m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		d, c = 1/bounded(1+even*d), bounded(1+even/c)
		value *= d * c
		odd := -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		d, c = 1/bounded(1+odd*d), bounded(1+odd/c)
		value *= d * c
		if math.Abs(d*c-1) < precise {
			break
		}
	}
	return value
}

func lgamma(x float64) float64 {
	v, _ := math.Lgamma(x) // the sign of a positive argument's is positive
	return v
}
