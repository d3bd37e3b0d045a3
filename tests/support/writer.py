"""A client that wants a row acknowledged twenty times a second, whatever happens to the database.

Every row has a number of its own. One that was not acknowledged is given up, so a row that is said to be there must be there.
A line for each: "ack NUMBER SECONDS" or "err SECONDS WHAT".

It keeps its connection as long as that lasts. With several lines in URIS it makes a new one for every row, to each in turn.
"""

import os
import time

import psycopg2

PAUSE = 0.05
uris = os.environ["URIS"].splitlines()
clock = time.monotonic
connection = None
number = 0
due = clock()


def connect():
    # A server that went away without a word is given up after a second, like any client that has to go on does.
    session = psycopg2.connect(
        uris[number % len(uris)], connect_timeout=2, tcp_user_timeout=1000, application_name="writer"
    )
    session.autocommit = True
    return session


while True:
    number += 1
    try:
        connection = connection or connect()
        with connection.cursor() as cursor:
            if number == 1:
                cursor.execute("CREATE TABLE IF NOT EXISTS written (number bigint PRIMARY KEY)")
                # Another one may have been here before.
                cursor.execute("SELECT coalesce(max(number), 0) + 1 FROM written")
                number = cursor.fetchone()[0]
            cursor.execute("INSERT INTO written VALUES (%s)", (number,))
        print("ack", number, f"{clock():.3f}", flush=True)
        if len(uris) > 1:
            connection.close()
            connection = None
    except psycopg2.Error as error:
        # A pod that refuses to be written to is left, too.
        if connection is not None:
            connection.close()
        connection = None
        number -= number == 1
        what = str(error).strip().splitlines()
        print("err", f"{clock():.3f}", what[0] if what else type(error).__name__, flush=True)
    due = max(due + PAUSE, clock())
    time.sleep(max(0.0, due - clock()))
