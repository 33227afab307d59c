echo hi >f; echo other >g; mkdir -p d/sub; echo x >d/sub/x; ln -s f lf; ln -s d ld; mkdir out
docker create --name cp-a busybox sleep 1000 | wc -c
docker create --name cp-ro --read-only -v $PWD:/ro:ro -v $PWD/out:/rw --tmpfs /tt busybox sleep 1000 | wc -c
docker cp f cp-a:/tmp/
docker cp f cp-a:/nodir/f
docker cp f cp-a:/nodir/
docker cp d cp-a:/newd
docker cp nofile cp-a:/ 2>&1 | sed 's|/tmp/.*/|/|'
docker cp nodir/nofile cp-a:/ 2>&1 | sed 's|/tmp/.*/|/|'
docker cp f/ cp-a:/ 2>&1 | sed 's|/tmp/.*/|/|'
docker cp cp-a:/nofile .
docker cp cp-a:/etc/passwd/ .
docker cp cp-a:/etc/passwd/x .
docker cp cp-a:/etc/passwd nodir/x 2>&1 | sed 's|/tmp/.*/|/|'
docker cp cp-a:/etc/passwd nodir/
docker cp cp-a:/etc f
docker cp d cp-a:/etc/passwd
docker cp f cp-ro:/tmp
docker cp f cp-ro:/ro
docker cp f cp-ro:/rw
docker cp f cp-nosuch:/x
docker cp f cp-nosuch:
docker cp cp-nosuch:/x .
docker cp cp-a:/x cp-a:/y
docker cp x y
docker cp "" y
docker cp y ""
docker cp f
docker cp f g cp-a:/
docker cp --nosuch f cp-a:/
docker cp f cp-a:/etc/passwd/
docker cp cp-a:/etc/passwd /dev/null
docker cp cp-a: .
docker cp f cp-a:
tar c f | docker cp - cp-a:/tmp/f
tar c g | docker cp - cp-a:/tmp; docker cp cp-a:/tmp/g - | tar xO
tar cz f g | docker cp - cp-a:/tmp
echo garbage | docker cp - cp-a:/tmp
tar c f | head -c 513 | docker cp - cp-a:/tmp
docker cp cp-a:/newd - | tar tv | sed 's/ [0-9]*-.*:[0-9]* / /' | sort
docker cp cp-a:/newd/. - | tar t | sort
docker cp cp-a:/newd/sub/ - | tar t | sort
docker cp cp-a:/tmp/f - | tar t
docker cp cp-a:/newd out; find out/newd | sort
docker cp cp-a:/newd/. out/new; find out/new | sort
docker cp cp-a:/newd out/again; find out/again | sort
docker cp cp-a:/tmp/f out/f2; cat out/f2
docker cp cp-a:/tmp/f out/newd 2>&1; ls out/newd
docker cp cp-a:/newd out/f2
docker start cp-a; docker exec cp-a sh -c 'ln -s /etc /tmp/le; ln -s nowhere/x /tmp/broken; ln -s /tmp/f /tmp/lp; ln -s lp /tmp/lpp'
docker cp f cp-a:/tmp/broken
docker cp g cp-a:/tmp/lp; docker exec cp-a cat /tmp/f
docker cp cp-a:/tmp/lp out/LQ; readlink out/LQ
docker cp -L cp-a:/tmp/lpp out/LP; cat out/LP
docker cp -L cp-a:/tmp/le out/LE; ls out/LE | grep -c passwd
docker cp cp-a:/tmp/le/ out/LF; ls out/LF | grep -c passwd
docker cp lf cp-a:/tmp/lf1; docker cp -L lf cp-a:/tmp/lf2; docker exec cp-a sh -c 'readlink /tmp/lf1; cat /tmp/lf2'
docker cp -L ld cp-a:/tmp/ld2; docker cp ld/ cp-a:/tmp/ld3; docker cp ld/. cp-a:/tmp/ld4; docker exec cp-a find /tmp/ld2 /tmp/ld3 /tmp/ld4
docker cp ld/ cp-a:/tmp/; docker exec cp-a ls /tmp
chown 1234:5678 f; docker cp f cp-a:/own1; docker cp -a f cp-a:/own2; docker exec cp-a stat -c '%u %g' /own1 /own2
docker cp cp-a:/proc/1/status .
docker cp f cp-a:/newd/sub 2>&1; docker exec cp-a ls /newd/sub
docker cp d/sub cp-a:/newd/sub/f
docker pause cp-a; docker cp g cp-a:/paused; docker cp cp-a:/paused - | tar xO; docker unpause cp-a
api HEAD '/containers/cp-a/archive?path=/etc/passwd' -I | grep -ci path-stat
api GET '/containers/cp-a/archive?path='
api GET '/containers/cp-a/archive?path=/nope'
api GET '/containers/cp-a/archive?path=/etc/passwd/'
api PUT '/containers/cp-a/archive?path=/etc/passwd'
api PUT '/containers/cp-a/archive?path=/nope'
api PUT '/containers/cp-ro/archive?path=/tmp'
api PUT '/containers/cp-ro/archive?path=/ro'
terminal cp-a 'docker cp f cp-a:/tmp/shown' | tr -d '\r' | grep -o 'Successfully copied.*'
terminal cp-a 'docker cp cp-a:/tmp/g out/shown' | tr -d '\r' | grep -o 'Successfully copied .* to'
terminal cp-a 'docker cp -q f cp-a:/tmp/shown' | wc -c
docker container cp f cp-a:/tmp/f3; docker diff cp-a | grep f3
docker export cp-a | tar t | grep -E '^(tmp/|newd|own)' | sort
docker diff cp-a | sort
docker exec cp-a sh -c 'rm -r /newd /etc/passwd; mv /tmp/ld2 /tmp/moved; rm -rf /var/spool; mkdir /var/spool; touch /var/spool/x; mkfifo /tmp/pipe; mknod /tmp/null c 1 3; chmod 700 /home; ln /tmp/f /tmp/hard'; docker diff cp-a | sort
docker kill cp-a; docker export cp-a | tar tv | sed 's/ [0-9]*-.*:[0-9]* / /' | grep -E 'pipe|null|hard|moved|spool' | sort
docker cp --help | grep -o -E '^ +(-., )?--[a-z-]+( [a-z]+)?' | tr -s ' '
