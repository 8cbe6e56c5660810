"""Times of tables and files."""

from __future__ import annotations

import numpy as np
import obspy
import pandas as pd

TIME = "datetime64[us, UTC]"

# Format of times in files. A Z is appended.
ISO = "%Y-%m-%dT%H:%M:%S.%f"

# The years 1621 to 2318. Milliseconds or nanoseconds since 1970 of any recorded earthquake lie
# outside.
_MOST_SECONDS = 1.1e10

# Seconds of a record, days, and dates as numbers (20200131) would be times in 1970.
_FIRST_YEAR = 365 * 86_400


def timestamp(time: obspy.UTCDateTime | float) -> pd.Timestamp:
    """A time, or seconds since 1970, in UTC to the microsecond, as in files."""
    # Nanoseconds since 1970 end in the year 2262 in 64 bits.
    us = round(time.ns, -3) // 1000 if isinstance(time, obspy.UTCDateTime) else round(time * 1e6)
    return pd.Timestamp(np.datetime64(us, "us"), tz="UTC")


def parse_times(values: pd.Series) -> pd.Series:
    """
    Times in UTC to the microsecond.

    :param values: Datetimes (UTC if they have no time zone), ISO 8601 text, ``UTCDateTime``, or
        numbers, which are seconds since 1970, as in PyOcto's tables.
    :raises ValueError: If a value is not a time, or if numbers cannot be seconds since 1970.
    """
    if pd.api.types.is_datetime64_any_dtype(values):
        times = pd.to_datetime(values, utc=True)
    else:
        times = _parse_mixed(values)
    return times.dt.round("us").astype(TIME)


def _parse_mixed(values: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(
        values.where([not isinstance(value, obspy.UTCDateTime) for value in values]),
        errors="coerce",
    )
    if len(values) and numbers.notna().any() and (numbers.notna() | values.isna()).all():
        if (numbers.abs() > _MOST_SECONDS).any():
            worst = numbers[numbers.abs().idxmax()]
            raise ValueError(
                f"The column '{values.name}' contains {worst:.16g}: numbers are seconds since 1970 "
                f"here; convert other units with pandas.to_datetime first."
            )
        if numbers.max() and numbers.dropna().between(0, _FIRST_YEAR).all():
            raise ValueError(
                f"The column '{values.name}' contains {numbers.max():.16g}: numbers are seconds "
                f"since 1970 here. Pass dates as 2020-01-31, or with pandas.to_datetime."
            )
        return pd.to_datetime((numbers * 1e6).round().astype("Int64"), unit="us", utc=True)
    plain = [t.datetime if isinstance(t, obspy.UTCDateTime) else t for t in values]
    try:
        series = pd.Series(plain, index=values.index, name=values.name, dtype=object)
        return pd.to_datetime(series, utc=True, format="ISO8601")
    except (ValueError, TypeError) as error:
        raise ValueError(f"The column '{values.name}' contains an invalid time: {error}") from error
